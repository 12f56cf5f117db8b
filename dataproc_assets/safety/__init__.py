"""What never enters a release, and what else keeps an image out of one."""
