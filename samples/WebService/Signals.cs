using System.Runtime.InteropServices;

namespace WebService;

/// <summary>Ctrl-C and SIGTERM, as a token. A second Ctrl-C, a while after the first signal, ends the process the hard way, for those who will not wait.</summary>
/// <remarks>Supervisors and <c>dotnet run</c> often send a signal twice, or one after the other: to the process group and to the process. That is one request to stop, not two.</remarks>
internal sealed class Signals : IDisposable
{
    private static readonly TimeSpan s_sameRequest = TimeSpan.FromSeconds(1);

    private readonly CancellationTokenSource _asked = new();
    private readonly PosixSignalRegistration[] _registrations;

    // When the first signal came; 0 before. Interlocked.
    private long _askedAt;

    public Signals() => _registrations = [.. new[] { PosixSignal.SIGINT, PosixSignal.SIGTERM }.Select(signal => PosixSignalRegistration.Create(signal, OnSignal))];

    /// <summary>Canceled at the first signal.</summary>
    public CancellationToken Asked => _asked.Token;

    public void Dispose()
    {
        foreach (PosixSignalRegistration registration in _registrations)
        {
            registration.Dispose();
        }

        _asked.Dispose();
    }

    private void OnSignal(PosixSignalContext context)
    {
        long now = TimeProvider.System.GetTimestamp();
        if (Interlocked.CompareExchange(ref _askedAt, now, 0) is var first and not 0)
        {
            context.Cancel = context.Signal != PosixSignal.SIGINT || TimeProvider.System.GetElapsedTime(first, now) < s_sameRequest;
            return;
        }

        context.Cancel = true;
        _asked.Cancel();
    }
}
