namespace Moirai.Load.Harness;

/// <summary>Random numbers that are the same in every run.</summary>
internal struct XorShift(ulong seed)
{
    private ulong _state = seed;

    public int Below(int limit)
    {
        _state ^= _state << 13;
        _state ^= _state >> 7;
        _state ^= _state << 17;
        return (int)(_state % (ulong)limit);
    }
}
