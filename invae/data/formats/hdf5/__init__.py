"""HDF5: NXcanSAS, canSAS2012 and NeXus, read and written."""
