using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace Moirai.Hosting.Tests;

internal sealed record LogLine(string Category, LogLevel Level, int Id, string Text, Exception? Error);

/// <summary>Keeps what is logged.</summary>
internal sealed class LogBook : ILoggerProvider, ILoggerFactory
{
    private readonly ConcurrentQueue<LogLine> _lines = new();

    internal IReadOnlyCollection<LogLine> Lines => _lines;

    internal IEnumerable<LogLine> Of(string category) => _lines.Where(line => line.Category == category);

    public ILogger CreateLogger(string categoryName) => new Writer(categoryName, _lines);

    public void AddProvider(ILoggerProvider provider)
    {
    }

    public void Dispose()
    {
    }

    private sealed class Writer(string category, ConcurrentQueue<LogLine> lines) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            lines.Enqueue(new LogLine(category, logLevel, eventId.Id, formatter(state, exception), exception));
    }
}
