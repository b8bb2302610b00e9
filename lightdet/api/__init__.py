"""The verbs as Python has them: keyword options in, a progress bar, a result out; each is exported from `lightdet`."""
