"""The pure heart of the broker: deciding, matching and clocks, on the standard library alone, without I/O or a clock."""
