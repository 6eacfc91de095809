"""An intent, landed: applied to the newest commit, and pushed in turn."""
