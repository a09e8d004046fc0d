"""Plain cookiecutter runs this in the new project: what all kinds share is added to it."""

import json
import sys
from pathlib import Path

sys.path.insert(0, {{ import_folder | python }})

from animus_templates.finish import finish

finish(json.loads({{ cookiecutter | jsonify | jsonify }}), Path.cwd())
