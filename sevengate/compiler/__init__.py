"""The translator: the only room that speaks both languages, Kubernetes' and the proxy's.

It takes a Snapshot and gives a RoutingTable, with a Diagnostic for each thing that could not be carried over. It is
pure: no clock, no disk, no network, so the same objects always give the same table. compile.py is the door.
"""
