"""What an answer is worth: pure rules, judge rubrics, tables, protocol switches.

Knows records and messages only. A judge reaches it as a callable, never as an adapter.
"""
