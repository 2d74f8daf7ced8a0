using System.Runtime.InteropServices;

namespace WebService;

/// <summary>Ctrl-C and SIGTERM, as a token. A second signal ends the process the hard way, for those who will not wait.</summary>
internal sealed class Signals : IDisposable
{
    private readonly CancellationTokenSource _asked = new();
    private readonly PosixSignalRegistration[] _registrations;

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
        if (!_asked.IsCancellationRequested)
        {
            context.Cancel = true;
            _asked.Cancel();
        }
    }
}
