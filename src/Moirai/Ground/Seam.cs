// What stands behind the seams in the product. The tests that explore interleavings compile this same source with their own in the place of this file.
global using Atomics = Moirai.Ground.HardwareAtomics;
global using Bed = Moirai.Ground.SystemBed;
