"""Makes the bundled data; needs the extra ``pdf-build``, see docs/parton_distributions.md."""
