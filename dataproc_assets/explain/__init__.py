"""Why an image is where it is: what every stage knows of it, from its address to its prompts."""
