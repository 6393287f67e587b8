"""The words that all other rooms speak in, as values: what comes in, what is in force, what is known, and what is to be written.

Events and identifiers, dates, the policy and the registers, the facts and the ledger of a child; then what is made of them:
verdict, notice, question, turn; and the ports to the stages. A new field or a new kind of value belongs here; what judges,
asks or words stands in another room.
"""
