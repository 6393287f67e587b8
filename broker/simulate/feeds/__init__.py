"""Native files as agencies' own systems write them; one writer per format, apart from the connectors that read them."""
