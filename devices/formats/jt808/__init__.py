"""JT/T 808: messages of terminals to their platform, and the JSON that a gateway makes of them."""
