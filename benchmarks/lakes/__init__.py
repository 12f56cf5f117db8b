"""Large lakes to measure on."""
