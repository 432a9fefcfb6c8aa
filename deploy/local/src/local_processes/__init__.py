"""Local processes: children, ports, stop signals. Used by the CLI and the local servers."""
