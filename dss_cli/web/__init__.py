"""Local web page: its folder, and a server of this folder for this machine only."""
