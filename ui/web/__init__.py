"""What every page uses: settings and store, templates, pictures, dialogs; the guard and the metrics."""
