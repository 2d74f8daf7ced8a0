// What stands behind the seams of the core here, in the place of src/Moirai/Ground/Seam.cs.
global using Atomics = Moirai.Costs.Counting.CountingAtomics;
global using Bed = Moirai.Costs.Counting.CountingBed;
