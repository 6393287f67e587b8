"""The demo: the main job on one machine, from native files to alerts, with everything counted and held against the truth."""
