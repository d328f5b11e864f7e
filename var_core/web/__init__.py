"""The page: widgets, handlers and their HTML; gradio lives here and in app.py."""
