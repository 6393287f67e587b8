"""What agencies and their desks are to a child: who fills a role, who is excluded, who is asked, and what whose word may do.

A change of who counts as tied, of who may claim, set or answer something, or of which desk a role means, belongs here. Which rule
discloses what to them is for `broker.core.deciding`.
"""
