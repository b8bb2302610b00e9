"""What every page that lightdet serves needs: who may ask, refusals, files of a page, limits on connections."""
