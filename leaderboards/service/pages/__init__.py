"""Pages for people, made on the server: templates, charts as SVG, and the static site."""
