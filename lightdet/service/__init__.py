"""A trained model behind HTTP: answers for other programs, a page for people, records for the quality office.

Built on `lightdet.load`, so it runs every kind of model file; nothing here names a runtime or imports torch.
"""
