"""Native formats in and out: one file per format, each turning a delivery into canonical events and findings."""
