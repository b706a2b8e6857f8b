"""Nothing on this machine is reported to anybody."""

import os
import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).parent / "data" / "MI_26.jpg"


def test_reading_a_page_leaves_no_events_for_the_makers_of_libraries(tmp_path):
    """ONNX Runtime collects events below the home folder and sends them, unless a variable is set before."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("ORT_", "XDG_", "ECGLENS_"))}
    script = f"import ecglens, onnxruntime; assert ecglens.read({str(PAGE)!r}).label; print('done')"
    done = subprocess.run(
        [sys.executable, "-c", script], env={**clean, "HOME": str(tmp_path)}, capture_output=True, text=True
    )

    assert done.stdout == "done\n", done.stderr
    assert [str(path) for path in tmp_path.rglob("*") if path.is_file()] == []
