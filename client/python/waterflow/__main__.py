"""python -m waterflow sync DIR; python -m waterflow sender"""

import sys


def main() -> int:
    commands = sys.argv[1:2]
    if commands == ["sync"]:
        from waterflow.sync import main as sync

        return sync(sys.argv[2:])
    if commands == ["sender"]:
        from waterflow.sender.main import main as sender

        return sender(sys.argv[2:])
    print("usage: python -m waterflow {sync,sender} ...", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
