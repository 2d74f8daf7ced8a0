namespace Moirai.Tool.Million;

/// <summary>What the guide that this benchmark comes from says of its own run.</summary>
internal static class GuideFigures
{
    public const long Tasks = 1_000_000;
    public const int Limit = 100_000;
    public const double CreateSeconds = 0.45;
    public const double TotalSeconds = 3;
    public const double PeakBytes = 2.3e9;
}
