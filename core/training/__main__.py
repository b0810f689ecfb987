"""`python -m core.training`."""

from core.training.run import main

if __name__ == "__main__":
    main()
