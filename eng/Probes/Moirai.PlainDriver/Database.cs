using System.Collections.Concurrent;
using System.Net;

namespace PlainDriver;

/// <summary>What applications use: questions over a pool of connections, with transactions that keep theirs.</summary>
public sealed class Database(EndPoint server, int maxConnections) : IDisposable
{
    private readonly SemaphoreSlim _places = new(maxConnections);
    private readonly ConcurrentBag<Connection> _idle = [];

    public async Task<string> QueryAsync(string question, CancellationToken cancellationToken = default)
    {
        Connection connection = await RentAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            return await connection.AskAsync(question, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            Return(connection);
        }
    }

    /// <summary>The thread is kept until the answer is there.</summary>
    public string Query(string question)
    {
        Connection connection = RentAsync(CancellationToken.None).AsTask().GetAwaiter().GetResult();
        try
        {
            return connection.Ask(question);
        }
        finally
        {
            Return(connection);
        }
    }

    public async Task<Transaction> BeginAsync(CancellationToken cancellationToken = default) =>
        new(this, await RentAsync(cancellationToken).ConfigureAwait(false));

    public void Dispose()
    {
        foreach (Connection connection in _idle)
        {
            connection.Dispose();
        }

        _places.Dispose();
    }

    internal void Return(Connection connection)
    {
        if (connection.IsBroken)
        {
            connection.Dispose();
        }
        else
        {
            _idle.Add(connection);
        }

        _places.Release();
    }

    private async ValueTask<Connection> RentAsync(CancellationToken cancellationToken)
    {
        await _places.WaitAsync(cancellationToken).ConfigureAwait(false);
        if (_idle.TryTake(out Connection? idle))
        {
            return idle;
        }

        var connection = new Connection();
        try
        {
            await connection.OpenAsync(server, cancellationToken).ConfigureAwait(false);
            return connection;
        }
        catch
        {
            connection.Dispose();
            _places.Release();
            throw;
        }
    }
}

/// <summary>A connection of one's own until it is disposed.</summary>
public sealed class Transaction : IAsyncDisposable
{
    private readonly Database _database;
    private readonly Connection _connection;

    internal Transaction(Database database, Connection connection)
    {
        _database = database;
        _connection = connection;
    }

    public async Task<string> QueryAsync(string question, CancellationToken cancellationToken = default) =>
        await _connection.AskAsync(question, cancellationToken).ConfigureAwait(false);

    public async ValueTask DisposeAsync()
    {
        try
        {
            await _connection.AskAsync("rollback", CancellationToken.None).ConfigureAwait(false);
        }
        finally
        {
            _database.Return(_connection);
        }
    }
}
