"""`python -m simulators.gemini`: its process, configured by arguments."""

from simulators.gemini.app import main

if __name__ == "__main__":
    main()
