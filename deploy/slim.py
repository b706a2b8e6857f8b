"""Takes out of an environment what serving never reads: python deploy/slim.py ENVIRONMENT.

Tests of NumPy and SciPy, sources of translations and of compiled modules, stubs, languages that the site does not
speak, ONNX Runtime's tools for those who make models, and what botocore knows of services that are not S3 or a way to
log in to it.
"""

import shutil
import sys
from pathlib import Path

ENDINGS = frozenset({".a", ".c", ".h", ".po", ".pxd", ".pyi", ".pyx"})
TESTED = ("numpy", "scipy")
LANGUAGES = frozenset({"de", "en", "__pycache__"})
ONNX_TOOLS = ("datasets", "quantization", "tools", "transformers")
SERVICES = frozenset({"s3", "signin", "sso", "sso-oidc", "sts"})


def main() -> None:
    """Slim the environment that is named."""
    if len(sys.argv) != 2:
        sys.exit("Expected the folder of an environment: python deploy/slim.py ENVIRONMENT")
    for packages in Path(sys.argv[1]).glob("lib/python3.*/site-packages"):
        slim(packages)


def slim(packages: Path) -> None:
    """Slim a folder of installed packages."""
    for name in TESTED:
        for folder in [found for found in (packages / name).rglob("tests") if found.is_dir()]:
            shutil.rmtree(folder, ignore_errors=True)
    for name in ONNX_TOOLS:
        shutil.rmtree(packages / "onnxruntime" / name, ignore_errors=True)
    for folder in [found for found in packages.rglob("locale/*/") if found.name not in LANGUAGES]:
        shutil.rmtree(folder)
    for folder in (packages / "botocore" / "data").glob("*/"):
        if folder.name not in SERVICES:
            shutil.rmtree(folder)
    for path in packages.rglob("*"):
        if path.suffix in ENDINGS and path.is_file():
            path.unlink()


if __name__ == "__main__":
    main()
