"""The APO certificate: a public, numeric test of the word (`docs/optics/certificate.md`)."""

from apochromat.optics.certificate.certify import certify
from apochromat.optics.certificate.result import Certificate, schema

__all__ = ["Certificate", "certify", "schema"]
