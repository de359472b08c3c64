"""What the pages show of an entry or a dataset: histograms to be drawn as SVG, and figures.

One module per family of tasks, with ``entry_curves``, and ``dataset_curves`` where datasets are
drawn too. ``curves`` knows which is whose; a family without one has tables only.
"""
