import sys

from waterflow.sender.main import main

sys.exit(main())
