"""One child's line: the stage that decides, and the enforcement point that writes what was decided."""
