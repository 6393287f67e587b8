"""Who is this child: the stage, its state, and the protocol between owners of identifiers."""
