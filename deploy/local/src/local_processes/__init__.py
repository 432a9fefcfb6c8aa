"""Processes of this machine: children, ports, stop signals. Used by the command and the local servers."""
