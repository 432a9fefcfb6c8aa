"""`python -m simulators.catalog`: its process, configured by arguments."""

from simulators.catalog.app import main

if __name__ == "__main__":
    main()
