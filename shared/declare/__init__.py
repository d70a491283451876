"""What an application declares: applications, queues, job types and their numbers."""
