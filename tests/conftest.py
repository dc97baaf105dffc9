"""What holds for every test.

Before any test module imports grpc: offer no TLS 1.2 suite that an EC certificate can serve (broker.cli.operate).
Hypothesis judges what is asserted and not how fast the machine was: a loaded one fails no test by its time alone.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

os.environ["GRPC_SSL_CIPHER_SUITES"] = "ECDHE-RSA-AES256-GCM-SHA384"

settings.register_profile("sluis", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("sluis")
