"""`naysayer sort`: any folder of pictures from worst to best, by the champion's check."""
