// What stands behind the seams of the core here, in the place of src/Moirai/Ground/Seam.cs.
global using Atomics = Moirai.Interleaving.Exploring.ExploredAtomics;
global using Bed = Moirai.Interleaving.Exploring.ExploredBed;
