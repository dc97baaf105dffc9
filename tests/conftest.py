"""Before any test module imports grpc: offer no TLS 1.2 suite that an EC certificate can serve (broker.cli.operate)."""

from __future__ import annotations

import os

os.environ["GRPC_SSL_CIPHER_SUITES"] = "ECDHE-RSA-AES256-GCM-SHA384"
