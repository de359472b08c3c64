"""What the pages show of an entry or a dataset: histograms to be drawn as SVG, and figures.

One module per family of tasks, named as its score module. Each has ``entry_curves`` and
``dataset_curves``; a family without one has tables only.
"""
