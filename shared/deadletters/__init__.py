"""Dead letters as pages."""
