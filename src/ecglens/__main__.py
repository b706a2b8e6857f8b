"""``python -m ecglens``, and what ``torchrun -m ecglens train`` starts."""

from ecglens.cli import main

if __name__ == "__main__":
    main()
