"""The checks of `tidegate doctor`: functions that compare a deployment with the world it runs in,
and answer findings. `examine` calls them in order."""
