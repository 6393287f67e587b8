"""One child's line: what each record changes in what is known, and what has to be said to whom because of it.

How an event is applied, held, corrected, undone or decided again, what was told and has to be let go of, what comes back, and
how two records become one belong here. Functions take facts and return a turn or the next facts; nothing is written.
"""
